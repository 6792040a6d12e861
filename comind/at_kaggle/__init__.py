"""at_kaggle"""
